"""The consumers: what becomes of each message that a queue hands over.

Here live the message loop, the brake, the dead letters of what cannot be done, and a room for each queue.
SQL, HTTP and AMQP stay behind the store, the gateway and the broker.
"""
