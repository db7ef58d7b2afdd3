"""The program pier: commands, flags, formatting."""
