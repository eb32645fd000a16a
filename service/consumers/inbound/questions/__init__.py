"""What dispatchers answer, carried out (R52)."""
