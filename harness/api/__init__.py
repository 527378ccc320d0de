"""What the public functions of the package and the commands carry out: load, judge, run, bench, compare, project."""
