"""Which properties a definition may have, and which of them are only given back.

Names: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference, EntityMetadata and
the types of AttributeMetadata.
"""

from typing import Any

from sandbox.dynamics import errors

Document = dict[str, Any]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


COLUMN = _names(
    """MetadataId HasChanged AttributeOf AttributeType AttributeTypeName AutoNumberFormat
    CanBeSecuredForCreate CanBeSecuredForRead CanBeSecuredForUpdate CanModifyAdditionalSettings
    ColumnNumber CreatedOn DeprecatedVersion Description DisplayName EntityLogicalName ExternalName
    InheritsFrom IntroducedVersion IsAuditEnabled IsCustomAttribute IsCustomizable
    IsDataSourceSecret IsFilterable IsGlobalFilterEnabled IsLogical IsManaged IsPrimaryId
    IsPrimaryName IsRenameable IsRequiredForForm IsRetrievable IsSearchable IsSecured
    IsSortableEnabled IsValidForAdvancedFind IsValidForCreate IsValidForForm IsValidForGrid
    IsValidForRead IsValidForUpdate IsValidODataAttribute LinkedAttributeId LogicalName ModifiedOn
    RequiredLevel SchemaName SourceType"""
)
_FORMULA = frozenset({"FormulaDefinition", "SourceTypeMask"})
_NUMBER = frozenset({"MinValue", "MaxValue", "MinSupportedValue", "MaxSupportedValue"}) | _FORMULA
_CHOICE = frozenset({"OptionSet", "GlobalOptionSet"}) | _FORMULA
COLUMN_OF = {
    "String": _names("Format FormatName ImeMode MaxLength DatabaseLength IsLocalizable YomiOf")
    | _FORMULA,
    "Memo": _names("Format FormatName ImeMode MaxLength IsLocalizable"),
    "Integer": frozenset({"Format"}) | _NUMBER,
    "Decimal": frozenset({"Precision", "ImeMode"}) | _NUMBER,
    "Double": frozenset({"Precision", "ImeMode"}) | _NUMBER,
    "Money": frozenset(
        {"Precision", "PrecisionSource", "ImeMode", "CalculationOf", "IsBaseCurrency"}
    )
    | _NUMBER,
    "Boolean": frozenset({"DefaultValue"}) | _CHOICE,
    "DateTime": _names(
        "Format ImeMode DateTimeBehavior CanChangeDateTimeBehavior MinSupportedValue "
        "MaxSupportedValue"
    )
    | _FORMULA,
    "Picklist": frozenset(
        {"DefaultFormValue", "ParentPicklistLogicalName", "ChildPicklistLogicalNames"}
    )
    | _CHOICE,
}
COLUMN_TOLD = (
    "Description",
    "RequiredLevel",
    "Format",
    "FormatName",
    "ImeMode",
    "PrecisionSource",
    "IsAuditEnabled",
    "IsSearchable",
    "DefaultFormValue",
    "IsPrimaryName",
)
TABLE = _names(
    """MetadataId HasChanged ActivityTypeMask AutoCreateAccessTeams AutoRouteToOwnerQueue
    CanBeInCustomEntityAssociation CanBeInManyToMany CanBePrimaryEntityInRelationship
    CanBeRelatedEntityInRelationship CanChangeHierarchicalRelationship
    CanChangeTrackingBeEnabled CanCreateAttributes CanCreateCharts CanCreateForms CanCreateViews
    CanEnableSyncToExternalSearchIndex CanModifyAdditionalSettings CanTriggerWorkflow
    ChangeTrackingEnabled CollectionSchemaName CreatedOn DataProviderId DataSourceId
    DaysSinceRecordLastModified Description DisplayCollectionName DisplayName
    EnforceStateTransitions EntityColor EntityHelpUrl EntityHelpUrlEnabled EntitySetName
    ExternalCollectionName ExternalName
    HasActivities HasEmailAddresses HasFeedback HasNotes IconLargeName IconMediumName IconSmallName
    IconVectorName IntroducedVersion IsAIRUpdated IsActivity IsActivityParty IsArchivalEnabled
    IsAuditEnabled IsAvailableOffline IsBPFEntity IsBusinessProcessEnabled IsChildEntity
    IsConnectionsEnabled IsCustomEntity IsCustomizable IsDocumentManagementEnabled
    IsDocumentRecommendationsEnabled IsDuplicateDetectionEnabled IsEnabledForCharts
    IsEnabledForExternalChannels IsEnabledForTrace IsImportable IsInteractionCentricEnabled
    IsIntersect IsKnowledgeManagementEnabled IsLogicalEntity IsMSTeamsIntegrationEnabled
    IsMailMergeEnabled IsManaged IsMappable IsOfflineInMobileClient IsOneNoteIntegrationEnabled
    IsOptimisticConcurrencyEnabled IsPrivate IsQuickCreateEnabled IsReadOnlyInMobileClient
    IsReadingPaneEnabled IsRenameable IsRetentionEnabled IsRetrieveAuditEnabled
    IsRetrieveMultipleAuditEnabled IsSLAEnabled IsSolutionAware IsStateModelAware
    IsValidForAdvancedFind IsValidForQueue IsVisibleInMobile IsVisibleInMobileClient
    LogicalCollectionName LogicalName MobileOfflineFilters ModifiedOn ObjectTypeCode OwnershipType
    PrimaryIdAttribute PrimaryImageAttribute PrimaryNameAttribute Privileges
    RecurrenceBaseEntityLogicalName
    ReportViewName SchemaName SettingOf Settings SyncToExternalSearchIndex TableType
    UsesBusinessDataLabelTable Attributes Keys OneToManyRelationships ManyToOneRelationships
    ManyToManyRelationships"""
)
TABLE_TOLD = ("Description", "OwnershipType", "HasNotes", "HasActivities", "IsAuditEnabled")


def check(document: Document, what: str, known: frozenset[str]) -> None:
    """Refuse a property that the type doesn't have."""
    for name in document:
        if "@" not in name and name not in known:
            kind = f"Microsoft.Dynamics.CRM.{what}Metadata"
            raise errors.bad_payload(
                f"The property '{name}' does not exist on type '{kind}'. Make sure to only use "
                "property names that are defined by the type."
            )


def told(document: Document, names: tuple[str, ...]) -> Document:
    """The properties that are kept as they were sent."""
    return {name: document[name] for name in names if document.get(name) is not None}
