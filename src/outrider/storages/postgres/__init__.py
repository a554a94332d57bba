"""PostgreSQL by psycopg 3: reads by snapshot difference, so that no late commit is lost and nothing stalls."""
