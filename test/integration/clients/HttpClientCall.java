import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** One request with java.net.http as it comes: METHOD URL [BODY]. Prints the status code. */
class HttpClientCall {
  public static void main(String[] arguments) throws Exception {
    HttpRequest.BodyPublisher body =
        arguments.length > 2
            ? HttpRequest.BodyPublishers.ofString(arguments[2])
            : HttpRequest.BodyPublishers.noBody();
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(arguments[1])).method(arguments[0], body).build();
    HttpResponse<String> answer =
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    System.out.println(answer.statusCode());
  }
}
