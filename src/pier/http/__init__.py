"""HTTP words shared by both towers: frames, versions, headers."""
