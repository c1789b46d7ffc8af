"""Programme documents: their form, what is wrong with them, their versions, and what they would change."""
