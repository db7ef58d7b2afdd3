"""What commands print: units, tables, formats, progress."""
