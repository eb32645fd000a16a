"""What is told of many at once, or before it happens: the weather of providers, and changes of the clock."""
