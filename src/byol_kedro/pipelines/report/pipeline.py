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
            ),
            Node(
                nodes.gather_predictions, ["run_manifest", "baseline_predictions", "probe_predictions"], "predictions"
            ),
            Node(nodes.compare_classifiers, ["predictions", "params:seed"], "comparisons"),
            Node(nodes.draw_training, ["encoder", "run_manifest", "training_history"], "training_curves"),
            Node(nodes.draw_top1, ["results", "data_summary"], "top1_bars"),
            Node(nodes.draw_confusion, ["predictions", "images_test"], "confusion_matrix"),
            Node(nodes.draw_few_labels, ["encoder", "few_label_metrics", "images_test"], "few_label_curve"),
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
            ),
            Node(nodes.tell_results, ["results", "top1_bars", "confusion_matrix"], "report_results"),
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
            ),
            Node(
                nodes.tell_latents,
                ["encoder", "pair_metrics", "pair_embeddings", "pair_embedding_map", "cluster_sheet", "images_test"],
                "report_latents",
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
            ),
        ]
    )
