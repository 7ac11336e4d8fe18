"""`python -m mavton_lite` is `mavton`."""

from mavton_lite.cli import main

if __name__ == "__main__":
    main()
