"""The command `mlstore`: parses what the user typed, calls the library, renders the answer."""
