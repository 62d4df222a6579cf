"""gunicorn's hooks that mend incident 5: a worker forgets the connections that it inherited."""


def post_fork(server, worker):
    from forked_pool import engine

    engine.dispose(close=False)
