"""An ordinary Django project in one package, with a database, forms, sessions and files."""
