"""All that is not the product: the simulator of Cronofy, Vorex's stand-in, the guide's walk, the stage.

The product never imports this room; only the command line starts it.
"""
