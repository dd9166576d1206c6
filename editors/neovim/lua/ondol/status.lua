--- The state of Ondol in a buffer, as text for the status line, :Ondol status and :checkhealth.
local client = require('ondol.client')
local next_edit = require('ondol.next_edit')
local scope = require('ondol.scope')
local session = require('ondol.session')
local M = {}

--- The states that the server reports, in words; VS Code uses the same ones.
local WORDS = { ['model-loading'] = 'loading the model, meanwhile suggestions come from the index' }

--- The state in a buffer for the status line; empty if Ondol does not support the buffer.
---@param buffer integer
---@return string
function M.short(buffer)
  if not client.running() or not scope.eligible(buffer) then
    return ''
  end
  if not scope.wanted(buffer) then
    return 'Ondol off'
  end
  local server = client.server(buffer)
  if not server then
    return ''
  end
  local status = server.status
  if server.gave_up or status.state == 'problem' then
    return 'Ondol !'
  elseif not server.ready or status.state == 'starting' then
    return 'Ondol …'
  elseif status.state == 'indexing' then
    return type(status.percent) == 'number' and ('Ondol: indexing %d%%%%'):format(status.percent) or 'Ondol: indexing'
  elseif status.state == 'model-loading' then
    return 'Ondol: loading model'
  elseif status.state == 'off' then
    return 'Ondol off'
  end
  return 'Ondol'
end

--- One line about a server.
---@param server ondol.Server
---@return string
function M.describe(server)
  local status = server.status
  local parts =
    { WORDS[status.state] or status.state or (server.gave_up and 'stopped after repeated failures') or 'not running' }
  if type(status.percent) == 'number' and status.state == 'indexing' then
    parts[#parts + 1] = ('%d %%'):format(status.percent)
  end
  if type(status.message) == 'string' and status.message ~= '' then
    parts[#parts + 1] = status.message
  end
  if type(status.documents) == 'number' then
    parts[#parts + 1] = ('%d files in the index'):format(status.documents)
  end
  local runs = server.client_id and vim.lsp.get_client_by_id(server.client_id)
  local process = runs and ('server version %s'):format(server.version or '?') or 'no server process'
  return ('%s: %s (%s)'):format(server.root or 'files outside of repositories', table.concat(parts, ', '), process)
end

--- The state in a buffer and of all servers, as lines.
---@param buffer integer
---@return string[]
function M.long(buffer)
  buffer = buffer == 0 and vim.api.nvim_get_current_buf() or buffer
  local lines = {}
  local wanted, why_not = scope.wanted(buffer)
  local eligible, cannot = scope.eligible(buffer)
  if not client.running() then
    lines[#lines + 1] = "Not set up: call require('ondol').setup{}"
  elseif not eligible then
    lines[#lines + 1] = 'This buffer: no suggestions, ' .. cannot
  elseif not wanted then
    lines[#lines + 1] = 'This buffer: ' .. why_not
  elseif session.attached(buffer) then
    local display = session.display_of(buffer) == 'own' and "this plugin's own ghost text"
      or 'vim.lsp.inline_completion'
    lines[#lines + 1] = 'This buffer: on, shown with ' .. display
  else
    local server = client.server(buffer)
    local gave_up = server and server.gave_up
    lines[#lines + 1] = gave_up and 'This buffer: the server is stopped (:Ondol restart starts it)'
      or 'This buffer: waiting for the server'
  end
  local counts = next_edit.counts()
  if counts.offered > 0 then
    lines[#lines + 1] = ('Next edits since Neovim started: %d shown, %d accepted'):format(
      counts.offered,
      counts.accepted
    )
  end
  for _, server in ipairs(client.servers()) do
    lines[#lines + 1] = M.describe(server)
  end
  return lines
end

return M
