"""Go's text/template as far as `--format` uses it: a lexer, a parser, an evaluator and Docker's functions."""
