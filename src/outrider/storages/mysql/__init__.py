"""MariaDB and MySQL by asyncmy: side rows say what is to be read, so that no late commit is lost (OB-21)."""
