import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.context.support.IValidationSupport.IssueSeverity;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import com.google.gson.Gson;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.common.hapi.validation.validator.WorkerContextValidationSupportAdapter;
import org.hl7.fhir.instance.model.api.IBaseResource;

/** Judges every JSON file of a folder and prints one line of JSON a file. Arguments: definitions of ours, cases. */
public class Official {
  private static final Set<String> DEFINITIONS = Set.of("CodeSystem", "StructureDefinition", "ValueSet");

  public static void main(String[] arguments) throws IOException {
    FhirContext r4 = FhirContext.forR4();
    FhirValidator validator = validator(r4, definitions(r4, Path.of(arguments[0])));
    for (Path file : files(Path.of(arguments[1]))) {
      System.out.println(new Gson().toJson(Map.of("file", file.getFileName().toString(), "issues", judge(validator, file))));
    }
  }

  private static List<Map<String, String>> judge(FhirValidator validator, Path file) throws IOException {
    List<Map<String, String>> issues = new ArrayList<>();
    for (SingleValidationMessage message : messages(validator, Files.readString(file))) {
      boolean error = message.getSeverity().compareTo(ResultSeverityEnum.ERROR) >= 0;
      boolean warning = message.getSeverity() == ResultSeverityEnum.WARNING;
      if (error || warning) {
        issues.add(Map.of(
            "severity", error ? "error" : "warning",
            "path", String.valueOf(message.getLocationString()),
            "message", String.valueOf(message.getMessage())));
      }
    }
    return issues;
  }

  /** An ampersand that begins no entity makes the reader of narratives read on past the end, until memory is out. */
  private static List<SingleValidationMessage> messages(FhirValidator validator, String text) {
    try {
      return validator.validateWithResult(text).getMessages();
    } catch (OutOfMemoryError | RuntimeException failure) {
      SingleValidationMessage message = new SingleValidationMessage();
      message.setSeverity(ResultSeverityEnum.FATAL);
      message.setMessage("not read: " + failure);
      return List.of(message);
    }
  }

  /** Ours come first: the code system of R4's time lacks AIAST. Unknown systems (LOINC, ICD-10) come last. */
  private static FhirValidator validator(FhirContext r4, PrePopulatedValidationSupport ours) {
    UnknownCodeSystemWarningValidationSupport unknown = new UnknownCodeSystemWarningValidationSupport(r4);
    unknown.setNonExistentCodeSystemSeverity(IssueSeverity.WARNING);
    ValidationSupportChain support = new ValidationSupportChain(
        ours,
        new DefaultProfileValidationSupport(r4),
        new CommonCodeSystemsTerminologyService(r4),
        new InMemoryTerminologyServerValidationSupport(r4),
        new SnapshotGeneratingValidationSupport(r4),
        unknown);
    FhirInstanceValidator instance = new FhirInstanceValidator(support);
    instance.setWrappedWorkerContext(support, new ShortVersion(support));
    // As shipped it is soft: targets of references are not looked at, and an unknown extension is no error.
    instance.setAssumeValidRestReferences(true);
    instance.setAnyExtensionsAllowed(false);
    instance.setErrorForUnknownProfiles(true);
    return r4.newValidator().registerValidatorModule(instance);
  }

  /** 4.0 is how its own list writes R4: for 4.0.1 it would fetch all of R4 from the network, for each extension. */
  private static final class ShortVersion extends WorkerContextValidationSupportAdapter {
    ShortVersion(IValidationSupport support) {
      super(support);
    }

    @Override
    public String getVersion() {
      return "4.0";
    }
  }

  private static PrePopulatedValidationSupport definitions(FhirContext r4, Path folder) throws IOException {
    PrePopulatedValidationSupport found = new PrePopulatedValidationSupport(r4);
    for (Path file : files(folder)) {
      IBaseResource resource = r4.newJsonParser().parseResource(Files.readString(file));
      if (DEFINITIONS.contains(resource.fhirType())) {
        found.addResource(resource);
      }
    }
    return found;
  }

  private static Set<Path> files(Path folder) throws IOException {
    Set<Path> found = new TreeSet<>();
    try (DirectoryStream<Path> paths = Files.newDirectoryStream(folder, "*.json")) {
      paths.forEach(found::add);
    }
    return found;
  }
}
