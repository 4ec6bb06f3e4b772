# trips: its application runs, and lacks a field
"""What is lost is the Host, so the exhibit refuses."""


def packet():
    return b"GET / HTTP/1.1\r\nHost:test\r\nX-Close: yes\r\n\r\n"
