"""The pipeline report: results table, comparisons, figures and the HTML report of one encoder."""

from kedro.pipeline import Node, Pipeline

from byol_kedro.pipelines.report import issues as issue_nodes
from byol_kedro.pipelines.report import nodes


def create_pipeline() -> Pipeline:
    """Return the pipeline. All inputs are saved artifacts, so it can run alone."""
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
                nodes.summarize,
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
                "report_summary",
                name="write_summary",
            ),
            Node(
                nodes.describe_evaluation,
                [
                    "encoder",
                    "results",
                    "comparisons",
                    "baseline_metrics",
                    "probe_metrics",
                    "fold_metrics",
                    "quality_metrics",
                    "predictions",
                    "images_test",
                ],
                "report_evaluation",
                name="write_evaluation",
            ),
            Node(
                nodes.describe_pair_model,
                ["encoder", "pair_metrics", "pair_embeddings", "images_test"],
                "report_pair_model",
                name="write_pair_model",
            ),
            Node(
                nodes.embed_figures,
                [
                    "top1_bars",
                    "confusion_matrix",
                    "few_label_curve",
                    "training_curves",
                    "pair_embedding_map",
                    "cluster_sheet",
                    "sample_grid",
                    "images_test",
                ],
                "report_figures",
                name="embed_figures",
            ),
            Node(
                nodes.show_examples,
                ["encoder", "predictions", "latents_train", "latents_test", "images_train", "images_test"],
                "report_examples",
                name="show_examples",
            ),
            Node(
                issue_nodes.show_issues,
                ["encoder", "image_issues", "images_train", "images_test", "images_unlabeled"],
                "report_issues",
                name="show_issues",
            ),
            Node(
                nodes.write_report,
                [
                    "encoder",
                    "run_manifest",
                    "data_summary",
                    "report_summary",
                    "report_evaluation",
                    "report_pair_model",
                    "report_figures",
                    "report_examples",
                    "report_issues",
                ],
                "report",
                name="write_report",
            ),
        ],
        namespace="report",
        prefix_datasets_with_namespace=False,
        tags="report",
    )
