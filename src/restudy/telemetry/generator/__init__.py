"""Generated node metrics and jobs of a cluster, with known structure planted in them."""
