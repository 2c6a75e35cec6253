"""The repair desk as a gRPC service: `amends.AdminService`, over the same functions as the operator's command line.

    operator's program ──▶ EdgeInterceptor ──▶ RightsInterceptor ──▶ DeskService ──▶ runtime/operate

server.py    listens, on the loopback unless told otherwise; on_node.py: if the node is told to
rights.py    which methods change something, and whether they may
service.py   what is read; acts.py what is changed
histories.py those whose pages are being read
answers.py   records as messages; pages.py page tokens, and how large an answer may be
"""
