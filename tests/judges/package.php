<?php
// Runs in the unpacked source of SuiteCRM 7.14.6: its own scanner and field classes read a package.
// The few things that they ask of a running server are played here.
error_reporting(E_ALL & ~E_DEPRECATED);
define('sugarEntry', true);
class Quiet
{
    public function __call($name, $given)
    {
    }
}
$GLOBALS['log'] = new Quiet();
$GLOBALS['sugar_config'] = [];
class Database
{
    public function getColumnType($type)
    {
        return $type === 'decimal_tpl' ? 'decimal(%d, %d)' : $type;
    }
}
class DBManagerFactory
{
    public static function getInstance()
    {
        return new Database();
    }
}
function translate($text)
{
    return $text;
}

require 'ModuleInstall/ModuleScanner.php';
$scanner = new ModuleScanner();
$scanner->scanPackage($argv[1]);
$wrong = json_encode($scanner->getIssues()) === '[]' ? [] : [json_encode($scanner->getIssues())];

require 'modules/DynamicFields/FieldCases.php';
include $argv[1] . '/manifest.php';
foreach ($installdefs['custom_fields'] as $row) {
    $field = get_widget($row['type']);
    $field->populateFromRow($row);
    $told = $field->get_field_def();
    foreach (['name' => 'name', 'type' => 'type', 'len' => 'max_size'] as $key => $given) {
        if ((string) $told[$key] !== $row[$given]) {
            $wrong[] = "{$row['name']}: $key is {$told[$key]}";
        }
    }
    if ($told['required'] || ($row['ext1'] && !in_array($row['ext1'], $told))) {
        $wrong[] = "{$row['name']}: required, or without its list";
    }
}
foreach ($wrong as $sentence) {
    echo $sentence, "\n";
}
echo count($installdefs['custom_fields']), ' fields, ', count($wrong), " objections\n";
exit($wrong ? 1 : 0);
