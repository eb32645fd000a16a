"""Items and their assignees, and My Calendar as it is read from them."""
