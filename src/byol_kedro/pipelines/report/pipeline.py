"""results, results_table, predictions, figures and the report, from the metrics of one encoder."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.report import nodes


def create_pipeline() -> Pipeline:
    """Reads only what is saved, so that it can be run alone."""
    return Pipeline(
        [
            Node(
                nodes.tabulate,
                ["encoder", "run_manifest", "baseline_metrics", "probe_metrics", "data_summary", "images_test"],
                ["results", "results_table"],
                name="tabulate_results",
            ),
            Node(
                nodes.gather_predictions,
                ["run_manifest", "baseline_predictions", "probe_predictions"],
                "predictions",
                name="gather_predictions",
            ),
            Node(nodes.compare_classifiers, ["predictions", "params:seed"], "comparisons", name="compare_classifiers"),
            Node(
                nodes.draw_training,
                ["encoder", "run_manifest", "training_history"],
                "training_curves",
                name="draw_training",
            ),
            Node(nodes.draw_top1, ["results", "data_summary"], "top1_bars", name="draw_top1"),
            Node(nodes.draw_confusion, ["predictions", "images_test"], "confusion_matrix", name="draw_confusion"),
            Node(
                nodes.draw_few_labels,
                ["encoder", "few_label_metrics", "images_test"],
                "few_label_curve",
                name="draw_few_labels",
            ),
            Node(
                nodes.introduce,
                [
                    "encoder",
                    "run_manifest",
                    "training_history",
                    "data_summary",
                    "results",
                    "comparisons",
                    "quality_metrics",
                    "pair_metrics",
                ],
                "report_lead",
                name="write_summary",
            ),
            Node(
                nodes.tell_results, ["results", "top1_bars", "confusion_matrix"], "report_results", name="write_results"
            ),
            Node(
                nodes.tell_evidence,
                [
                    "encoder",
                    "comparisons",
                    "baseline_metrics",
                    "probe_metrics",
                    "fold_metrics",
                    "few_label_curve",
                    "quality_metrics",
                    "predictions",
                    "images_test",
                ],
                "report_evidence",
                name="write_evidence",
            ),
            Node(
                nodes.tell_latents,
                ["encoder", "pair_metrics", "pair_embeddings", "pair_embedding_map", "cluster_sheet", "images_test"],
                "report_latents",
                name="write_pair_model",
            ),
            Node(
                nodes.write_report,
                [
                    "encoder",
                    "run_manifest",
                    "training_curves",
                    "data_summary",
                    "sample_grid",
                    "report_lead",
                    "report_results",
                    "report_evidence",
                    "report_latents",
                ],
                "report",
                name="write_report",
            ),
        ],
        namespace="report",
        prefix_datasets_with_namespace=False,
        tags="report",
    )
