"""Where an epoch's time goes: its calls, its arithmetic, its memory, and the rest."""
