"""Neural networks in the place of the tables: how they learn, and how they are judged."""
