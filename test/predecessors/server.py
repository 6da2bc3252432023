r"""Makes the tables of a predecessor on a database server, by its own migrations, and fills them from a dump of SQLite in internal/importer/testdata.

So the same content is there with the types of each server. The dumps beside it were made so, with the drivers psycopg2 and pymysql in D:

    PYTHONPATH=D .plugin/bin/python test/predecessors/server.py postgresql+psycopg2://gw@127.0.0.1:5432/theirs internal/importer/testdata/plugin-11.0.2.sql
    pg_dump --inserts --no-owner --no-privileges theirs | grep -v '^--\|^$\|^SET \|^.restrict\|^.unrestrict\|set_config'
    mariadb-dump --compact --skip-extended-insert theirs | grep -v '^/[*]'

Those of basic-auth likewise with .venv, and on PostgreSQL alone: its migrations name two foreign keys of one database alike, which MySQL and
MariaDB refuse. Other versions of the plugin: see plugin.py.
"""

import logging
import sqlite3
import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa

URL, DUMP = sys.argv[1:]
logging.disable(logging.CRITICAL)
if "basic-auth" in DUMP:
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
else:
    from mlflow_oidc_auth.sqlalchemy_store import SqlAlchemyStore

path = Path(tempfile.mkdtemp()) / "theirs.db"
db = sqlite3.connect(path)
db.executescript(Path(DUMP).read_text())
db.close()
SqlAlchemyStore().init_db(URL)
source, target = sa.create_engine(f"sqlite:///{path}"), sa.create_engine(URL)
there, here = sa.MetaData(), sa.MetaData()
there.reflect(source)
here.reflect(target)
assert set(there.tables) == set(here.tables), set(there.tables) ^ set(here.tables)
with source.connect() as old, target.begin() as new:
    for table in here.sorted_tables:
        if table.name.startswith("alembic"):
            continue
        new.execute(table.delete())
    for table in here.sorted_tables:
        rows = [dict(row._mapping) for row in old.execute(there.tables[table.name].select())]
        if rows and not table.name.startswith("alembic"):
            new.execute(table.insert(), rows)
