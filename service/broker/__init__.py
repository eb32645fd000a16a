"""The broker port's two implementations and the topology they share.

Nobody else speaks AMQP. What a message says, and what becomes of it, is not known here.
"""
