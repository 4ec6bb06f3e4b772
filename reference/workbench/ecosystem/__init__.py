"""The servers and frameworks that people deploy, really started and really spoken to.

========================  ==========================================================================
``servers``               each real server: how it is installed, started, told to reload
``facts``                 what is plainly known of it, and where that can be read
``starting``              up in a ``with`` block, with nothing left behind it
``boards``                the same small board in each framework, with that framework's idioms
``pairs``                 each framework on each server that speaks its interface
``conversation``          what is said to each of these pairs
``features``              what a probe over the wire is, and what it finds: a cell of the table
``probes_...``            the probes
``without``               our server with one feature switched off, so that its probe must turn
``cost``                  CPU time per request, as a multiple of the ``yardstick``'s
``adapters``              WSGI in ASGI, sync code in async frameworks, and what the hop costs
``anonymous``             an application that lies about its server, for an exercise
``probing``               every probe of every server, several at a time, whatever they do
``table``                 all of it as text, picture, HTML, Markdown, JSON; ``pair_table`` and
                          ``fact_table`` are the pairs and the facts so
``matrix``                the command: ``python3 learn.py matrix``
``side_by_side``          one experiment on several servers at one time, a line for each
``renewal``               who answers while workers die, or are renewed
``survey``                pairs and rows, asked for in the background while somebody reads
``deciding``              which server: drawn from needs and from the cells they rest on
``streaming``             what Starlette makes of the version that a server tells
========================  ==========================================================================

What is *known* of a server stands in ``facts``; all else here is asked of the version that is
installed, every time anew.
"""
