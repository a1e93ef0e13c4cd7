"""One module for each kind of part, called like the kind.

Each has ``CHECKS``; for parts that are built also ``made(subject)``, which builds one that can be used, and
``work(subject)``, which uses it in the ordinary way.
"""
