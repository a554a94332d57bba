"""Machinery that knows no rule about messages: lifecycle, tasks, shutdown, the clock, the loader of `.sql` files."""
