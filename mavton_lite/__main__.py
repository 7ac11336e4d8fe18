"""`python -m mavton_lite` is `mavton`."""

from mavton_lite.cli import main

main()
