"""Transactions of PyMySQL, mysqlclient and asyncmy, on MySQL and MariaDB."""
