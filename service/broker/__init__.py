"""The broker port's two implementations and the topology they share."""
