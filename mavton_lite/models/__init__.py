"""Networks: GMM, try-on modules, discriminator. Pure modules: none of them reads a file."""
