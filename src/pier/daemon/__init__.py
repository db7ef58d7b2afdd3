"""The program pierd: arguments, configuration and wiring."""
