"""The commands, one module each: parse, call the library, render. Found by `mlstore_cli.registry`."""
