"""Let MLflow with a SQLite backend record runs and search the best 20; runs in its own environment."""

import json
import logging
import os
import sqlite3
import statistics
import sys
import time
import uuid
from pathlib import Path

from generate import Node, nodes

RUNS = 60
PARAMS = ("exp_id", "parent_exp", "baseline_exp", "domain", "specialist", "expected_delta")
TAGS = ("hypothesis", "notes", "status", "timestamp", "job_name")
METRICS = ("core_metric", "val_bpb", "delta_vs_best", "train_s", "total_s")
TABLES = ("runs", "metrics", "latest_metrics", "params", "tags")


def parts(node: Node) -> tuple[dict[str, str], dict[str, float], dict[str, str]]:
    """Return a row as MLflow wants it: params, metrics and tags."""
    row = node.row
    metrics = {name: row[name] for name in METRICS if row[name] is not None}
    return {name: row[name] for name in PARAMS}, metrics, {name: row[name] for name in TAGS}


def multiply(database: Path, size: int) -> None:
    """Copy the rows of the runs that were recorded until there are so many, which no API could do in time."""
    with sqlite3.connect(database) as connection:
        known = [run for (run,) in connection.execute("SELECT run_uuid FROM runs")]
        for table in TABLES:
            connection.execute(f"CREATE INDEX IF NOT EXISTS bench_{table} ON {table} (run_uuid)")
        for number in range(size - len(known)):
            source, new = known[number % len(known)], uuid.uuid4().hex
            for table in TABLES:
                columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
                taken = ", ".join("?" if name == "run_uuid" else name for name in columns)
                sql = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {taken} FROM {table} WHERE run_uuid = ?"
                connection.execute(sql, (new, source))
        for table in TABLES:
            connection.execute(f"DROP INDEX bench_{table}")
    connection.close()


def main() -> None:
    """Record and search: ``peer_mlflow.py FOLDER SIZE SEED``."""
    folder, size, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    logging.disable(logging.WARNING)
    experiment = mlflow.set_experiment("bench").experiment_id
    client = MlflowClient()
    fluent, batched = [], []
    for node in nodes(RUNS, seed):
        params, metrics, tags = parts(node)
        start = time.perf_counter()
        with mlflow.start_run():
            mlflow.log_params(params)
            mlflow.log_metrics(metrics)
            mlflow.set_tags(tags)
        middle = time.perf_counter()
        run = client.create_run(experiment).info.run_id
        now = int(time.time() * 1000)
        client.log_batch(
            run,
            [Metric(name, value, now, 0) for name, value in metrics.items()],
            [Param(name, value) for name, value in params.items()],
            [RunTag(name, value) for name, value in tags.items()],
        )
        client.set_terminated(run)
        fluent.append(middle - start)
        batched.append(time.perf_counter() - middle)
    multiply(folder / "mlflow.db", size)
    searches = []
    for _ in range(7):
        start = time.perf_counter()
        found = client.search_runs([experiment], order_by=["metrics.core_metric ASC"], max_results=20)
        searches.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "run": statistics.median(fluent[5:]),
                "batched": statistics.median(batched[5:]),
                "search": statistics.median(searches),
                "found": len(found),
            }
        )
    )


main()
