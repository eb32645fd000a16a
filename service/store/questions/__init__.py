"""Questions to dispatchers, and the absences of technicians (R52)."""
