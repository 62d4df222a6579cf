//! The Kubernetes examples, held to the API's schema and the restricted Pod Security Standard.

use serde_json::{Value, json};

use crate::{files, fits, schema, yaml};

/// The part of the Kubernetes schema for a kind or one of its parts.
fn kubernetes(definition: &Value) -> Value {
    let mut schema = schema("kubernetes");
    let definition = definition.as_str().unwrap();
    assert!(schema["$defs"][definition].is_object(), "{definition}");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    schema
}

/// The containers of a pod's specification, with the pod's own security settings.
pub fn containers(spec: &Value) -> Vec<(&Value, &Value)> {
    ["initContainers", "containers"]
        .iter()
        .flat_map(|kind| spec[*kind].as_array().into_iter().flatten())
        .map(|container| (container, &spec["securityContext"]))
        .collect()
}

/// The specification of the pods that an object creates.
pub fn pod_spec(object: &Value) -> &Value {
    match object["kind"].as_str() {
        Some("CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        _ => &object["spec"]["template"]["spec"],
    }
}

/// What the restricted Pod Security Standard demands of a container and its pod.
fn is_restricted(container: &Value, pod: &Value) -> Result<(), String> {
    let own = &container["securityContext"];
    let either = |name: &str| match &own[name] {
        Value::Null => pod[name].clone(),
        value => value.clone(),
    };
    let demands = [
        ("runAsNonRoot", either("runAsNonRoot") == true),
        ("runAsUser", either("runAsUser").as_u64() > Some(0)),
        (
            "seccompProfile",
            either("seccompProfile")["type"] == "RuntimeDefault",
        ),
        (
            "allowPrivilegeEscalation",
            own["allowPrivilegeEscalation"] == false,
        ),
        (
            "capabilities",
            own["capabilities"] == json!({"drop": ["ALL"]}),
        ),
        ("privileged", own["privileged"].is_null()),
    ];
    let unmet: Vec<&str> = demands.iter().filter(|it| !it.1).map(|it| it.0).collect();
    match unmet.is_empty() {
        true => Ok(()),
        false => Err(unmet.join(", ")),
    }
}

pub fn is_ours(container: &Value) -> bool {
    container["image"]
        .as_str()
        .is_some_and(|image| image.contains("/dbdoctor:"))
}

#[test]
fn kubernetes_objects_fit_the_schema_and_are_restricted() {
    let mut ours = 0;
    for path in files("examples/kubernetes") {
        let name = path.display().to_string();
        let object = yaml(&path);
        let Some(kind) = object["kind"].as_str() else {
            continue;
        };
        fits(
            &name,
            &object,
            &kubernetes(&schema("kubernetes")["kinds"][kind]),
        );
        for (container, pod) in containers(pod_spec(&object)) {
            if let Err(unmet) = is_restricted(container, pod) {
                panic!("{name}: {}: {unmet}", container["name"]);
            }
            if is_ours(container) {
                ours += 1;
                assert_eq!(
                    container["securityContext"]["readOnlyRootFilesystem"], true,
                    "{name}"
                );
            }
        }
    }
    assert!(ours >= 3);
}

#[test]
fn the_schema_objects_to_what_kubernetes_objects_to() {
    let good = yaml("examples/kubernetes/job.yaml");
    let schema = kubernetes(&schema("kubernetes")["kinds"]["Job"]);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let container = "/spec/template/spec/containers/0";
    for (at, name, value) in [
        ("/spec", "backOffLimit", json!(0)),
        ("/spec", "backoffLimit", json!("0")),
        (container, "envfrom", json!([])),
        (container, "args", json!("check")),
        ("/spec/template/spec", "restartPolicy", json!(false)),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(at).unwrap()[name] = value;
        assert!(!validator.is_valid(&bad), "{at}/{name}");
    }
    let mut open = good.clone();
    open.pointer_mut(container).unwrap()["securityContext"]["capabilities"] = Value::Null;
    let spec = pod_spec(&open);
    let (container, pod) = containers(spec)[0];
    assert_eq!(
        is_restricted(container, pod),
        Err("capabilities".to_owned())
    );
}

#[test]
fn the_debug_container_is_a_part_of_a_container() {
    let part = yaml("examples/kubernetes/debug-container.yaml");
    // kubectl fills these in, and rejects a file that has them.
    for name in ["name", "image", "command", "lifecycle", "volumeDevices"] {
        assert!(part[name].is_null(), "{name}");
    }
    let mut whole = part.clone();
    whole["name"] = json!("dbdoctor");
    fits(
        "debug-container.yaml",
        &whole,
        &kubernetes(&json!("io.k8s.api.core.v1.Container")),
    );
    assert_eq!(is_restricted(&part, &Value::Null), Ok(()));
}
