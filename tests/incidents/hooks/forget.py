"""gunicorn's hook that mends incident 5: a worker forgets the connections that it inherited."""


def post_fork(server, worker):
    from forked_pool import engine

    engine.dispose(close=False)
