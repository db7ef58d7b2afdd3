"""Names of containers: what is a valid one, and how one is made up when the user gave none."""

import re
from collections.abc import Callable

from pier.spec.errors import InvalidParameter

_VALID = re.compile(r"/?[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)

_ADJECTIVES = (
    "admiring adoring affectionate agitated amazing angry awesome beautiful blissful bold brave busy charming "
    "clever compassionate competent condescending confident cool cranky crazy dazzling determined distracted dreamy "
    "eager ecstatic elastic elated elegant eloquent epic exciting fervent festive flamboyant focused friendly "
    "frosty funny gallant gifted goofy gracious great happy hardcore heuristic hopeful hungry infallible inspiring "
    "intelligent interesting jolly jovial keen kind laughing loving lucid magical modest musing mystifying naughty "
    "nervous nice nifty nostalgic objective optimistic peaceful pedantic pensive practical priceless quirky "
    "quizzical recursing relaxed reverent romantic sad serene sharp silly sleepy stoic strange stupefied suspicious "
    "sweet tender thirsty trusting unruffled upbeat vibrant vigilant vigorous wizardly wonderful xenodochial "
    "youthful zealous zen"
)

_SURNAMES = (
    "agnesi albattani allen almeida antonelli archimedes ardinghelli aryabhata austin babbage banach banzai bardeen "
    "bartik bassi beaver bell benz bhabha bhaskara black blackburn blackwell bohr booth borg bose bouman boyd "
    "brahmagupta brattain brown buck burnell cannon carson cartwright carver cerf chandrasekhar chaplygin chatelet "
    "chatterjee chaum chebyshev clarke cohen colden cori cray curie curran darwin davinci dewdney dhawan diffie "
    "dijkstra dirac driscoll dubinsky easley edison einstein elbakyan elgamal elion ellis engelbart euclid euler "
    "faraday feistel fermat fermi feynman franklin gagarin galileo galois ganguly gates gauss germain goldberg "
    "goldstine goldwasser golick goodall gould greider grothendieck haibt hamilton haslett hawking heisenberg "
    "hellman hermann herschel hertz heyrovsky hodgkin hofstadter hoover hopper hugle hypatia ishizaka jackson jang "
    "jemison jennings jepsen johnson joliot jones kalam kapitsa kare keldysh keller kepler khayyam khorana kilby "
    "kirch knuth kowalevski lalande lamarr lamport leakey leavitt lederberg lehmann lewin lichterman liskov "
    "lovelace lumiere mahavira margulis matsumoto maxwell mayer mccarthy mcclintock mclaren mclean mcnulty meitner "
    "mendel mendeleev meninsky merkle mestorf mirzakhani montalcini moore morse moser murdock napier nash neumann "
    "newton nightingale nobel noether northcutt noyce panini pare pascal pasteur payne perlman pike poincare "
    "poitras proskuriakova ptolemy raman ramanujan rhodes ride ritchie robinson roentgen rosalind rubin saha sammet "
    "sanderson satoshi shamir shannon shaw shirley shockley shtern sinoussi snyder solomon spence stonebraker "
    "sutherland swanson swartz swirles taussig tesla tharp thompson torvalds tu turing varahamihira vaughan villani "
    "visvesvaraya volhard wescoff wilbur wiles williams williamson wilson wing wozniak wright wu yalow yonath "
    "zhukovsky"
)

ADJECTIVES, SURNAMES = _ADJECTIVES.split(), _SURNAMES.split()


def check_name(name: str) -> str:
    """The bare name without its leading slash; `InvalidParameter` in Docker's words when it is not a name."""
    if _VALID.fullmatch(name) is None:
        raise InvalidParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return name.removeprefix("/")


def generate_name(choose: Callable[[list[str]], str], taken: Callable[[str], bool], fallback: str) -> str:
    """An adjective and a surname that nobody has; after six tries, Docker's way out: the container's short id."""
    for attempt in range(6):
        name = f"{choose(ADJECTIVES)}_{choose(SURNAMES)}"
        if name == "boring_wozniak":  # Steve Wozniak is not boring: Docker's one forbidden pair
            continue
        if attempt:
            name += str(attempt)
        if not taken(name):
            return name
    return fallback
