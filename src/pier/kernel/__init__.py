"""System calls and kernel objects, verbatim: no policy, imports nothing of ours."""
