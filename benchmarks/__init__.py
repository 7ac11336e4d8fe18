"""What `make bench` measures: the package beside plain code of the same specification, as ratios."""
