<?php
// Connects with PDO, and says in one line of JSON what came of it: client.php DSN
if ($argv[1] === "--version") {
    echo PHP_VERSION, ", libpq ", PGSQL_LIBPQ_VERSION, "\n";
    exit;
}
$answer = ["connected" => false];
try {
    $opened = new PDO($argv[1]);
    $answer["connected"] = true;
    for ($n = 0; $n < 7; $n++) {
        $statement = $opened->prepare("select ?::int");
        $statement->execute([$n]);
    }
    $answer["answered"] = true;
} catch (Throwable $error) {
    $answer["error"] = get_class($error) . ": " . $error->getMessage();
    $answer["code"] = $error instanceof PDOException ? ($error->errorInfo[0] ?? null) : null;
}
echo json_encode($answer, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
