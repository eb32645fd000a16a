"""What crosses a border: messages, Cronofy's shapes, our own values, and the ports.

Here lives what two sides must agree on, with the schemas made from it. No decision and no I/O: what a
value means for a link is ``handlers``' to say, and ``service`` fulfils the ports.
"""
