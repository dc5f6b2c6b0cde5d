"""Everything that writes or loads machine code."""
