"""Components: ports, channels, memories, processors, sources, detectors, nodes, networks."""
