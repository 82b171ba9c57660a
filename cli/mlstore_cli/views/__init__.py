"""Pure functions from results of the library to text or to what JSON holds. No I/O, no terminal."""
