"""Tables: schema, rows, cells and columns, in bounded memory."""
